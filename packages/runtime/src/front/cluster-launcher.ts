/**
 * Front processes as workers of node:cluster: all of them listen on the same ports, and the main process hands each new connection to the
 * next one. Descriptor 4 is the Unix socket for messages. A front ends with the main process, however that ends.
 */
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
    cluster.schedulingPolicy = cluster.SCHED_RR;
    cluster.setupPrimary({
      exec: this.#entry,
      args: [],
      // Of the main process's own arguments only the size of the young generation is meant for its fronts, too.
      execArgv: process.execArgv.filter((arg) => arg.startsWith('--max-semi-space-size')),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'],
    });
    const worker = cluster.fork();
    return {
      socket: worker.process.stdio[FRONT_SOCKET_FD] as unknown as Duplex,
      kill: () => worker.process.kill('SIGKILL'),
      onExit: (listener) => {
        let told = false;
        const tell = (how: string) => {
          if (!told) listener(how);
          told = true;
        };
        worker.once('error', (error) => tell(`could not be started (${error.message})`));
        worker.once('exit', (exitCode, signal) =>
          tell(signal ? `was ended by ${signal}` : `ended with exit code ${exitCode}`),
        );
      },
    };
  }
}
