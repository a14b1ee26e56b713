// A client in JavaScript: asks which model a task needs, and prints the answer.
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const { getProtoPath } = require("google-proto-files");

const options = {
  // The contract, and the foreign protos that it imports.
  includeDirs: [path.join(__dirname, "../../proto"), path.join(getProtoPath(), "..")],
  longs: Number, // token counts stay far below 2^53
  enums: String,
  defaults: true,
};
const { adjutant } = grpc.loadPackageDefinition(loader.loadSync("adjutant/v1/routing_service.proto", options));
const client = new adjutant.v1.RoutingService(process.argv[2] ?? "127.0.0.1:50051", grpc.credentials.createInsecure());

client.Route(
  { task: { prompt: "Summarise these notes into a one-page brief", material: { inputTokens: 4000 } } },
  { deadline: Date.now() + 5000 },
  (error, answer) => {
    if (error) throw error;
    const { model, tier, estimate, reasons } = answer.decision;
    const { units, nanos } = estimate.expected;
    console.log(`${model.provider}/${model.id} (${tier}), expected cost $${units}.${String(nanos).padStart(9, "0")}`);
    for (const reason of reasons) console.log("-", reason.text);

    // A refusal is a status whose message names the first field at fault; its details name all.
    client.Route({ task: {} }, { deadline: Date.now() + 5000 }, (refusal) => {
      console.log(grpc.status[refusal.code]);
      console.log("-", refusal.details);
      client.close();
    });
  },
);
