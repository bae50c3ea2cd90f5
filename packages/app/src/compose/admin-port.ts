/** The admin port of `serve`: where it is unless flags say otherwise, and what may be seen and done there. */
import { AppError } from '@equipoise/core';
import {
  type EventFeed,
  isLoopback,
  type MetricsPage,
  type RunningAdminServer,
  startAdminServer,
} from '@equipoise/runtime';
import type { RunningPipeline } from './start-pipeline.js';
import { tokenIn } from './token-file.js';

/** Flags of the admin port; `adminPort` is false where none is wanted. */
export interface AdminOptions {
  readonly adminPort?: number | false;
  readonly adminHost?: string;
  readonly adminTokenFile?: string;
}

/** What is administered. */
export interface AdminParts {
  readonly pipelines: readonly RunningPipeline[];
  readonly feed: EventFeed;
  readonly metrics: MetricsPage;
}

const DEFAULT_PORT = 8081;
const DEFAULT_HOST = '127.0.0.1';

/** AppError WRONG_USAGE where the port could be reached from elsewhere without a token: said before anything is started. */
export function checkAdminPlace({ adminPort, adminHost = DEFAULT_HOST, adminTokenFile }: AdminOptions): void {
  if (adminPort === false || isLoopback(adminHost) || tokenIn(adminTokenFile) !== undefined) return;
  const message = `The admin port on ${adminHost} can be reached from other machines and needs a token: --admin-token-file FILE.`;
  throw new AppError('WRONG_USAGE', message);
}

/** Starts the port; undefined where none is wanted, or where the usual one is taken and no other was asked for. */
export async function startAdmin(options: AdminOptions, parts: AdminParts): Promise<RunningAdminServer | undefined> {
  const { adminPort, adminHost = DEFAULT_HOST, adminTokenFile } = options;
  if (adminPort === false) return undefined;
  const token = tokenIn(adminTokenFile);
  const place = { host: adminHost, port: adminPort ?? DEFAULT_PORT };
  try {
    return await startAdminServer({ ...parts, ...place, ...(token !== undefined && { token }) });
  } catch (error) {
    const isTaken = error instanceof AppError && error.code === 'PORT_IN_USE';
    if (!isTaken || adminPort !== undefined) throw error;
    process.stderr.write(`no admin port: ${error.message} Choose another with --admin-port.\n`);
    return undefined;
  }
}
