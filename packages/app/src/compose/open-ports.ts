/** The serving ports: in this process, or in front processes of its own. */
import { fileURLToPath } from 'node:url';
import {
  ClusterLauncher,
  type FrontServerOptions,
  type RunningServer,
  startFronts,
  startServer,
} from '@equipoise/runtime';
import { tensorFrames } from './tensor-frames.js';

/** What to serve, where, and how many processes hold the ports; 0 of them means this one. */
export interface PortOptions extends FrontServerOptions {
  readonly frontProcesses: number;
  /** Told of every front process that ended by itself, and why. */
  readonly onFrontLost: (problem: string) => void;
}

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE when an address cannot be listened on. */
export function openPorts({ frontProcesses, onFrontLost, ...options }: PortOptions): Promise<RunningServer> {
  if (frontProcesses === 0) return startServer(options);
  const launcher = new ClusterLauncher(fileURLToPath(new URL('./front-process.js', import.meta.url)));
  return startFronts(options, { count: frontProcesses, launcher, frames: tensorFrames, onLost: onFrontLost });
}
