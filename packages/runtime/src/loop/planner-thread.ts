/** Entry of a planner worker, so that planning does not block requests. */
import { parentPort } from 'node:worker_threads';
import { servePlanners } from './planner.js';

if (parentPort !== null) servePlanners(parentPort);
