import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AppError } from '@equipoise/core/model';
import {
  type EventFeed,
  isLoopback,
  type MetricsPage,
  type RunningAdminServer,
  startAdminServer,
} from '@equipoise/runtime';
import { VERSION } from '../version.js';
import type { RunningPipeline } from './start-pipeline.js';

/** Options of the admin port; `adminPort: false` opens none. */
export interface AdminOptions {
  readonly adminPort?: number | false | undefined;
  readonly adminHost?: string | undefined;
  readonly adminTokenFile?: string | undefined;
}

interface AdminDeps {
  readonly pipelines: readonly RunningPipeline[];
  readonly feed: EventFeed;
  readonly metrics: MetricsPage | undefined;
}

/** Folder of the built page; undefined where the package of the page is not installed. Then `/` is unknown. */
export const pageFolder: string | undefined = findPage();

function findPage(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('@equipoise/dashboard/package.json')), 'dist', 'page');
  } catch {
    return undefined;
  }
}

const DEFAULT_PORT = 8081;
const DEFAULT_HOST = '127.0.0.1';

/** Throws FILE_NOT_FOUND or WRONG_USAGE for a bad token file, and WRONG_USAGE for a public address without a token. */
export function checkAdminPlace({ adminPort, adminHost = DEFAULT_HOST, adminTokenFile }: AdminOptions): void {
  if (adminPort === false || tokenIn(adminTokenFile) !== undefined || isLoopback(adminHost)) return;
  const message = `The admin port on ${adminHost} can be reached from other machines and needs a token: --admin-token-file FILE.`;
  throw new AppError('WRONG_USAGE', message);
}

/** Starts the admin port; undefined if none is wanted. */
export async function startAdmin(options: AdminOptions, deps: AdminDeps): Promise<RunningAdminServer | undefined> {
  if (options.adminPort === false) return undefined;
  const folder = pageFolder !== undefined && { pageFolder };
  return startAdminServer({ ...deps, ...adminPlace(options), version: VERSION, ...folder });
}

/** Address and token of an admin port. Throws as `tokenIn`. */
export function adminPlace(options: AdminOptions): {
  readonly host: string;
  readonly port: number;
  readonly token?: string;
} {
  const { adminPort, adminHost: host = DEFAULT_HOST, adminTokenFile } = options;
  const token = tokenIn(adminTokenFile);
  return {
    host,
    port: adminPort === undefined || adminPort === false ? DEFAULT_PORT : adminPort,
    ...(token !== undefined && { token }),
  };
}

/**
 * Token in a file; undefined without a path. Throws FILE_NOT_FOUND, or WRONG_USAGE unless the file has exactly one
 * token.
 */
export function tokenIn(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  if (!existsSync(path)) throw new AppError('FILE_NOT_FOUND', `There is no token file ${path}.`, { details: { path } });
  const token = readFileSync(path, 'utf8').trim();
  if (/^\S+$/.test(token)) return token;
  throw new AppError('WRONG_USAGE', `The token file ${path} must hold one token without spaces.`);
}
