"""
The actions of SWF, one function each, named as boto3 names them.

Each takes (service, request, context), one at a time, with the request checked against SWF's shapes, and returns the
reply in the API's form (None where the action has none; times as seconds). A fault is raised before anything is changed.
"""
