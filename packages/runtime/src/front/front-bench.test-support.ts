/**
 * A server behind a front in the same process, for tests: the two halves and the messages between them are the real ones, only the process
 * is not. Messages become bytes by the serializer of Node.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { TensorMap } from '@equipoise/core/model';
import type { RunningServer, ServerOptions } from '../open-inference/start-server.js';
import type { TensorFrame, TensorFrames } from './frame-link.js';
import type { FrontLauncher } from './front-slot.js';
import { type FrontEnds, runFront } from './run-front.js';
import { type FrontServerOptions, startFronts } from './start-fronts.js';

const LENGTH_BYTES = 4;

/** Serialized views share one buffer; readers get tensors of their own. */
function owned(map: TensorMap): TensorMap {
  const tensors = Object.entries(map).map(([name, tensor]) => [
    name,
    { ...tensor, data: Array.isArray(tensor.data) ? tensor.data : (tensor.data as Uint8Array).slice() },
  ]);
  return Object.fromEntries(tensors);
}

/** A length, and what Node's serializer makes of the message. */
export const serializedFrames: TensorFrames = {
  frameOf: (body, tensors) => {
    const bytes = serialize({ body, tensors });
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  },
  reader: (onFrame) => {
    let unread = Buffer.alloc(0);
    return {
      push: (chunk) => {
        unread = Buffer.concat([unread, chunk]);
        while (unread.length >= LENGTH_BYTES && unread.length >= LENGTH_BYTES + unread.readUInt32LE()) {
          const end = LENGTH_BYTES + unread.readUInt32LE();
          const { body, tensors } = deserialize(unread.subarray(LENGTH_BYTES, end)) as TensorFrame;
          unread = unread.subarray(end);
          onFrame({ body, tensors: tensors.map(owned) });
        }
      },
    };
  },
};

/** Two ends of a Unix socket. */
async function socketPair(): Promise<readonly [Socket, Socket]> {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-front-'));
  const path = join(folder, 'socket');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const near = connect(path);
  const far = await accepted;
  server.close();
  rmSync(folder, { recursive: true });
  return [near, far];
}

/** Starts a server whose ports are in a front; what it is given and gives is as with `startServer`, by which the front opens them. */
export async function startThroughFront(options: ServerOptions, listen: FrontEnds['listen']): Promise<RunningServer> {
  const [near, far] = await socketPair();
  const launcher: FrontLauncher = {
    launch: () => {
      let exited = (_how: string): void => {};
      runFront({
        socket: far,
        frames: serializedFrames,
        listen,
        leave: (exitCode) => exited(`ended with exit code ${exitCode}`),
      });
      return {
        socket: near,
        kill: () => far.destroy(),
        onExit: (listener) => {
          exited = listener;
        },
      };
    },
  };
  const onLost = () => {};
  return startFronts(options as FrontServerOptions, { count: 1, launcher, frames: serializedFrames, onLost });
}
