/** Process that claims the state `FILE PIPELINE`, reports it, and holds it until it is killed. */
import { writeSync } from 'node:fs';
import { StateClaim } from './state-claim.js';

const [, , path = '', pipelineName = ''] = process.argv;
const claim = new StateClaim({ path, pipelineName });
writeSync(1, 'claimed\n');
setInterval(() => claim, 60_000);
