"""
Two Lambda functions, one after the other; and a failure on purpose.

    pyflow run examples/my_workflow.py:MyWorkflow --input '"Hello"' \
        --lambda some_lambda_func=examples/my_workflow.py:some_lambda_func \
        --lambda other_lambda_func=examples/my_workflow.py:other_lambda_func
"""

import pyflow


class MyWorkflow(pyflow.Workflow):
    NAME = 'MyWorkflow'
    VERSION = '1.0'
    some_func = pyflow.LambdaDescriptor('some_lambda_func')
    other_func = pyflow.LambdaDescriptor('other_lambda_func')
    def run(self, input_arg):
        if input_arg == 'bad_input':
            raise pyflow.WorkflowFailedException('BAD_INPUT', 'Received bad input')
        future1 = self.some_func(input_arg)
        x = future1.result() + 2
        future2 = self.other_func(x)
        return future2.result()


def some_lambda_func(event, context):
    return len(event)


def other_lambda_func(event, context):
    return event * event


# On AWS: deploy the two functions to Lambda, leave --lambda away, run `pyflow worker` without --endpoint-url,
# and start it with lambda_role='arn:aws:iam::...:role/...'.
