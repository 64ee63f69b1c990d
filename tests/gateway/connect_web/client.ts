// Calls the gateway as a page in a browser does, and prints what the client made of it.
//
// Takes the calls as JSON: [{"url", "headers"}].
// Prints one line for each: {"message"}, or {"code", "text", "details": [{"type", "value"}]}.

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { toJson } from "@bufbuild/protobuf";
import { GetMeResponseSchema, UserService } from "./portico/users/v1/user_service_pb.js";

interface Call {
  url: string;
  headers: Record<string, string>;
}

async function perform(call: Call): Promise<object> {
  const client = createClient(UserService, createGrpcWebTransport({ baseUrl: call.url }));
  try {
    const answer = await client.getMe({}, { headers: call.headers });
    return { message: toJson(GetMeResponseSchema, answer) };
  } catch (problem) {
    const error = ConnectError.from(problem);
    return { code: Code[error.code], text: error.rawMessage, details: error.details.map(shown) };
  }
}

// A detail in an answer is its type and its bytes; the test knows their messages.
function shown(detail: ConnectError["details"][number]): object {
  if (!("type" in detail)) return {}; // one that goes out
  return { type: detail.type, value: btoa(String.fromCharCode(...detail.value)) };
}

declare const process: { argv: string[] };

for (const call of JSON.parse(process.argv[2]!) as Call[]) {
  console.log(JSON.stringify(await perform(call)));
}
