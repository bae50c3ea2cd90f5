/** Entry of the thread of the health port. Its message is the URL or a failure. */
import { parentPort, workerData } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import type { RpcReply } from '../worker-rpc.js';
import { type HealthFailure, type HealthThreadInput, Heartbeat } from './health-port.js';
import { startProbeServer } from './start-probe-server.js';

const { place, shared } = workerData as HealthThreadInput;

async function start(): Promise<RpcReply<HealthFailure>> {
  const heartbeat = new Heartbeat(shared);
  const isLive = () => heartbeat.isLive();
  try {
    const { url } = await startProbeServer({ ...place, isLive, isReady: () => heartbeat.isReady() });
    return { id: 0, answer: url };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { id: 0, failure: { code: error.code, message: error.message } };
  }
}

parentPort?.postMessage(await start());
