/** Entry of a planner worker, so that planning does not block requests. */
import { parentPort } from 'node:worker_threads';
import { yieldToServing } from '../yield-to-serving.js';
import { servePlanners } from './planner.js';

yieldToServing();
if (parentPort !== null) servePlanners(parentPort);
