"""The deployment, and nothing of Pulumi in it.

``spec`` what is wanted · ``model`` what is seen and what ends · ``lifecycle`` the table of phases and steps ·
``plan`` which step is next (pure) · ``execute`` the only loop · ``actions`` what each step does · ``deploy`` from the
first look to the named ending · ``report`` for people.
"""
