// A cluster client of ioredis that lives through a failover, and is told of it by nobody.
//
// Arguments: the client ports of the nodes. Says `ready` when it has written, waits for a line that says that the primary is
// gone, and says `followed` when it has written again with the object that it had.

const assert = require("node:assert");
const Redis = require("ioredis");

const BOUND = 60_000;
const nodes = process.argv.slice(2).map((port) => ({ host: "127.0.0.1", port: Number(port) }));

const pause = (millis) => new Promise((done) => setTimeout(done, millis));

// Again and again: between two primaries there is none, and that is an error.
async function withinBound(act) {
  const deadline = Date.now() + BOUND;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await pause(20);
    }
  }
}

async function increments(client, count) {
  let last = 0;
  for (let done = 0; done < count; done += 1) last = await withinBound(() => client.incr("counter"));
  return last;
}

async function main() {
  const client = new Redis.Cluster(nodes);
  // Told of as errors of commands, too.
  client.on("error", () => {});
  const before = await increments(client, 20);
  assert.equal(await client.set("{counter}.a", "1"), "OK");
  assert.deepEqual(await client.mget("{counter}.a", "{counter}.b"), ["1", null]);
  assert.equal(client.nodes("all").length, 3);
  console.log("ready");
  await new Promise((told) => process.stdin.once("data", told));
  const after = await increments(client, 20);
  assert.ok(after >= before + 20, `${before}, then ${after}`);
  assert.equal(await withinBound(() => client.get("{counter}.a")), "1");
  console.log("followed");
  client.disconnect();
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
