// Required before anything else in the served process: names the threads of Node's own pool, which decode images, by their kernel ids.
// They are those that appear when the pool is first used.
const { readdirSync, stat } = require('node:fs');

const tasks = () => readdirSync('/proc/self/task').map(Number);
const before = new Set(tasks());
stat('/', () => {
  globalThis.poolThreadIds = tasks().filter((id) => !before.has(id));
});
