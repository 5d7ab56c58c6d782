"""The deployment, and nothing of Pulumi in it.

``spec`` what is wanted · ``model`` what is seen and what ends · ``lifecycle`` the tables of phases and steps, by
``conditions`` · ``plan`` which step is next (pure) · ``execute`` the only loop · ``actions`` what each step does ·
``deploy`` from the first look to the named ending · ``report`` for people.
"""
