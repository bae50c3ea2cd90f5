/** The admin port of the operator. */
import { AppError } from '@equipoise/core/model';
import { type EventFeed, type RunningAdminServer, startAdminServer } from '@equipoise/runtime';
import { type AdminOptions, adminPlace, pageFolder } from '../compose/admin-port.js';
import { logLine } from '../terminal/log.js';
import { VERSION } from '../version.js';
import type { ClusterBoard } from './cluster-board.js';

interface ClusterAdminDeps {
  readonly board: ClusterBoard;
  readonly feed: EventFeed;
}

/**
 * Starts the admin port; undefined if none is wanted, or if the default port is taken: the pipelines do not depend on
 * the page.
 */
export async function startClusterAdmin(
  options: AdminOptions,
  { board, feed }: ClusterAdminDeps,
): Promise<RunningAdminServer | undefined> {
  if (options.adminPort === false) return undefined;
  const cluster = board.pipelines;
  const folder = pageFolder !== undefined && { pageFolder };
  try {
    return await startAdminServer({
      ...adminPlace(options),
      pipelines: { cluster },
      ...{ feed, version: VERSION },
      ...folder,
    });
  } catch (error) {
    const isTaken = error instanceof AppError && error.code === 'PORT_IN_USE' && options.adminPort === undefined;
    if (!isTaken) throw error;
    logLine('warning', 'has no page: the admin port is taken', { error: error.message, remedy: '--admin-port' });
    return undefined;
  }
}
