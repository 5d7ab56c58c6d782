"""What stands behind the resources: the deployment, the Fly client, the gates, and the dynamic provider."""
