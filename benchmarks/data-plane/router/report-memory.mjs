/** Loaded into a server that is measured: tells its parent, when asked, what is kept in memory after a collection, in bytes. */
process.on('message', () => {
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  process.send({ keptBytes: heapUsed + external });
});
process.channel?.unref();
