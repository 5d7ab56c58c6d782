"""What a deployment leaves behind: a timeline, as JSON beside the state or in a local folder, and as a page to look at.

``record`` listens to a deployment and makes a ``Timeline``; ``keep`` writes and finds it; ``page`` draws it.
"""
