"""terraform_provider.py ARGUMENTS SOCKET: a provider that is only good for `terraform validate`. Its schema is made from
terraform_arguments.json, in the messages of plugin protocol 6 (tfplugin6.proto). It answers every other request with success. A readable
attribute whose type is not in the list has any type."""

import concurrent.futures
import json
import sys

import grpc

TYPES = {name: json.dumps(name) for name in ("string", "number", "bool")}
TYPES |= {"list": '["list","string"]', "map": '["map","string"]', "any": '"dynamic"'}
LIST = 2  # of NestingMode


def varint(number):
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


def field(number, value):
    """A field of a message: a number, a text or a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def argument(name, kind, required):
    """Schema.Attribute. An argument that is not required is optional, and computed where it is not given."""
    return field(1, name) + field(2, TYPES[kind]) + (field(4, 1) if required else field(5, 1) + field(6, 1))


def readable(name, members):
    kind = json.dumps(["list", ["object", {member: "string" for member in members}]]) if members else TYPES["any"]
    return field(1, name) + field(2, kind) + field(6, 1)


def block(known):
    """Schema.Block."""
    message = b""
    for name, kind in known["arguments"].items():
        message += field(2, argument(name, kind, name in known["required"]))
    for name, members in known.get("readable", {}).items():
        message += field(2, readable(name, members))
    for name, inner in known["blocks"].items():
        if inner:
            message += field(3, field(1, name) + field(2, block(inner)) + field(3, LIST) + field(4, int(name in known["required"])))
    return message


def answer(types):
    """GetProviderSchema.Response."""
    message = b""
    for name, known in types.items():
        schema = field(2, block(known))
        if name == "aws":
            message += field(1, schema)
        else:
            message += field(3 if name.startswith("data.") else 2, field(1, name.removeprefix("data.")) + field(2, schema))
    return message


class Provider(grpc.GenericRpcHandler):
    def __init__(self, schema):
        self.schema = schema

    def service(self, details):
        body = self.schema if details.method.endswith("/GetProviderSchema") else b""
        return grpc.unary_unary_rpc_method_handler(lambda request, context: body)


def main():
    with open(sys.argv[1]) as file:
        schema = answer(json.load(file)["types"])
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))  # Terraform keeps some busy with streams
    server.add_generic_rpc_handlers((Provider(schema),))
    server.add_insecure_port("unix:" + sys.argv[2])
    server.start()
    server.wait_for_termination()


main()
