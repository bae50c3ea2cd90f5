/** Node entry of `bin/equipoise`. */
import { setFlagsFromString } from 'node:v8';

// Only the serving thread needs the large young generation. While the flag is set, other threads get it, too, despite
// their limits.
if (process.execArgv.some((flag) => flag.startsWith('--max-semi-space-size')))
  setFlagsFromString('--max-semi-space-size=0');
await import('../dist/main.js');
