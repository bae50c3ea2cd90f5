/** Process of one JavaScript replica: messages on descriptor 3, end of its parent on descriptor 4. */
import { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { processCpuMeter } from '../replica/cpu-meter.js';
import type { FromReplica } from '../replica/replica-protocol.js';
import { StageServer } from '../replica/serve-stage.js';
import { FrameReader } from './frame.js';
import { framesFromReplica, messageToReplica } from './message-frames.js';

const socket = new Socket({ fd: 3, readable: true, writable: true });
// The watch has its own thread: a stage may block this thread.
new Worker(new URL('./parent-watch.js', import.meta.url)).unref();

function say(message: FromReplica): void {
  socket.cork();
  for (const chunk of framesFromReplica(message)) socket.write(chunk);
  socket.uncork();
}

const leave = () => socket.end(() => process.exit(0));
const server = new StageServer({ meter: processCpuMeter(), say, leave });
const reader = new FrameReader((frame) => server.receive(messageToReplica(frame)));
socket.on('data', (chunk: Uint8Array) => reader.push(chunk));
socket.on('error', () => process.exit(1));
socket.on('end', () => process.exit(0));
