"""aws_calls.py FILE: whether aws would send each call of FILE: a line each, its arguments separated by the character 1F. aws itself reads
the arguments and makes the request by its description of the service; then it is stopped. Prints the calls that it would refuse, and how
many there are."""

import sys

from awscli.clidriver import create_clidriver

requests = []  # one for each call that came so far


def make_api_call(client, operation_name, parameters):
    model = client.meta.service_model.operation_model(operation_name)
    parameters = client._emit_api_params(parameters, model, {})
    requests.append(client._serializer.serialize_to_request(parameters, model))
    raise KeyboardInterrupt


def is_good(call):
    requests.clear()
    if call[:2] == ["s3", "cp"]:  # in threads of its own
        return create_clidriver().main([*call, "--dryrun"]) == 0
    try:
        create_clidriver().main(call)
    except SystemExit:
        pass
    return bool(requests)


sys.modules["botocore.client"].BaseClient._make_api_call = make_api_call
calls = [line.rstrip("\n").split("\x1f") for line in open(sys.argv[1])]
bad = [call for call in calls if not is_good(call)]
for call in bad:
    print("refused:", *call)
print(len(calls), "calls")
sys.exit(bool(bad))
