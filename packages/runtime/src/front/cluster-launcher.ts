/**
 * Front processes as workers of node:cluster: all of them listen on the same ports, and the main process hands each new connection to the
 * next one. Descriptor 4 is the Unix socket for messages. A front ends with the main process, however that ends.
 */
import type { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import type { Duplex } from 'node:stream';
import type { FrontLauncher, LaunchedFront } from './front-slot.js';

/** The descriptor of the socket in a front process. */
export const FRONT_SOCKET_FD = 4;

/** Starts processes that run the module `entry`. */
export class ClusterLauncher implements FrontLauncher {
  readonly #entry: string;

  constructor(entry: string) {
    this.#entry = entry;
  }

  launch(): LaunchedFront {
    // Left to the system, nearly all connections go to the process that wakes up first.
    cluster.schedulingPolicy = cluster.SCHED_RR;
    cluster.setupPrimary({
      exec: this.#entry,
      args: [],
      // Of the main process's own arguments only those about collections of memory are meant for its fronts, too.
      execArgv: process.execArgv.filter((arg) =>
        /^--(max[-_]semi[-_]space[-_]size|incremental[-_]marking[-_]\w+[-_]trigger)=/.test(arg),
      ),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'],
    });
    const worker = cluster.fork();
    const closeUnaccepted = handedConnections(worker.process);
    return {
      socket: worker.process.stdio[FRONT_SOCKET_FD] as unknown as Duplex,
      kill: () => worker.process.kill('SIGKILL'),
      onExit: (listener) => {
        worker.once('exit', (exitCode, signal) => {
          // Cluster does so by itself when the channel has closed, which Node puts off for good where a connection was on its way through it.
          worker.disconnect();
          closeUnaccepted();
          listener(signal ? `was ended by ${signal}` : `ended with exit code ${exitCode}`);
        });
        worker.on('error', (error) => {
          // Others are of sending to one that dies, whose end is told.
          if (worker.process.pid === undefined) listener(`could not be started (${error.message})`);
        });
      },
    };
  }
}

/**
 * Watches what a worker is handed. Node hands it the next connection of a port when it has accepted the one before, and forgets the one that
 * a worker which dies has not accepted: it would stay open, and its client would wait for good. The returned function closes it. No event of
 * Node tells of it, so this goes by the message of node:cluster that carries it.
 */
function handedConnections(child: ChildProcess): () => void {
  const latest = new Map<unknown, { close(): void }>();
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  const watched = (message: unknown, handle?: unknown, ...rest: unknown[]): boolean => {
    const { act, key } = message as { readonly act?: unknown; readonly key?: unknown };
    if (act === 'newconn') latest.set(key, handle as { close(): void });
    return send(message, handle, ...rest);
  };
  child.send = watched;
  return () => {
    for (const handle of latest.values()) handle.close();
    latest.clear();
  };
}
