/** What `bin/equipoise` runs in Node. */
import { setFlagsFromString } from 'node:v8';

// The large young generation is for the serving thread. With the flag in force, threads would get it, too, whatever limits they state.
if (process.execArgv.some((flag) => flag.startsWith('--max-semi-space-size')))
  setFlagsFromString('--max-semi-space-size=0');
await import('../dist/main.js');
