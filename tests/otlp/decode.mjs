// node decode.mjs NODE_MODULES: reads OTLP/HTTP requests in JSON, one a line, and prints each as OpenTelemetry's own definitions of
// its protobuf messages read it. It fails if they do not read all of a request: an unknown field, or a value of another type, is missing
// when the message is written again.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const load = createRequire(`${process.argv[2]}/`);
const { opentelemetry } = load("@opentelemetry/otlp-transformer/build/src/generated/root.js");
const Request = opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
const IDS = ["traceId", "spanId", "parentSpanId"]; // hex in OTLP's JSON, base64 in protobuf's

const converted = (request, from, to) =>
  JSON.parse(JSON.stringify(request), (key, value) => (IDS.includes(key) ? Buffer.from(value, from).toString(to) : value));

for await (const line of createInterface({ input: process.stdin })) {
  const sent = JSON.parse(line);
  const message = Request.fromObject(converted(sent, "hex", "base64"));
  assert.equal(Request.verify(message), null);
  const bytes = Request.encode(message).finish();
  const read = Request.toObject(Request.decode(bytes), { longs: String, bytes: String, enums: Number });
  const decoded = converted(read, "base64", "hex");
  assert.deepEqual(decoded, sent);
  console.log(JSON.stringify(decoded));
}
