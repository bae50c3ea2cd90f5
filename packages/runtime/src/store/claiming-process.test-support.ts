/** A process that claims the state `FILE PIPELINE`, says so, and keeps it until it is killed. */
import { writeSync } from 'node:fs';
import { StateClaim } from './state-claim.js';

const [, , path = '', pipelineName = ''] = process.argv;
const claim = new StateClaim({ path, pipelineName });
writeSync(1, 'claimed\n');
setInterval(() => claim, 60_000);
