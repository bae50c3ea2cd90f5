/** The serving ports: in this process, or in front processes of its own. */
import { fileURLToPath } from 'node:url';
import { AppError } from '@equipoise/core/model';
import {
  ClusterLauncher,
  type FrontServerOptions,
  type RunningServer,
  startFronts,
  startServer,
  type TrafficShareOptions,
} from '@equipoise/runtime';
import { tensorFrames } from './tensor-frames.js';

/** What to serve, where, and how many processes hold the ports; 0 of them means this one. */
export interface PortOptions extends FrontServerOptions {
  readonly frontProcesses: number;
  /** Another server that gets a share of the requests over HTTP; only without front processes. */
  readonly share?: TrafficShareOptions;
  /** Told of every front process that ended by itself, and why. */
  readonly onFrontLost: (problem: string) => void;
}

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE when an address cannot be listened on or shared with. */
export async function openPorts(options: PortOptions): Promise<RunningServer> {
  const { frontProcesses, onFrontLost, share, ...rest } = options;
  if (frontProcesses === 0) return startServer({ ...rest, ...(share && { share }) });
  if (share !== undefined) {
    throw new AppError('WRONG_USAGE', '--share-with is for a server without front processes: leave one of them out.');
  }
  const launcher = new ClusterLauncher(fileURLToPath(new URL('./front-process.js', import.meta.url)));
  return startFronts(rest, { count: frontProcesses, launcher, frames: tensorFrames, onLost: onFrontLost });
}
