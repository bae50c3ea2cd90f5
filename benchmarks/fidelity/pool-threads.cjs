// Loaded first in the served process. Finds the kernel ids of Node's pool threads, which decode images: these threads
// appear when the pool is first used.
const { readdirSync, stat } = require('node:fs');

const tasks = () => readdirSync('/proc/self/task').map(Number);
const before = new Set(tasks());
stat('/', () => {
  globalThis.poolThreadIds = tasks().filter((id) => !before.has(id));
});
