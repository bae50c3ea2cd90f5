/**
 * The process of one front. The main process alone decides when it ends, so it takes no notice of the signals that a terminal or a service
 * manager sends to all of them.
 */
import { Socket } from 'node:net';
import { FRONT_SOCKET_FD, runFront, startServer } from '@equipoise/runtime';
import { tensorFrames } from './tensor-frames.js';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.title = 'equipoise front';
runFront({
  socket: new Socket({ fd: FRONT_SOCKET_FD, readable: true, writable: true }),
  frames: tensorFrames,
  listen: startServer,
  leave: (exitCode) => process.exit(exitCode),
});
