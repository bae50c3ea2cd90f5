/** Thread of one replica. It exits by itself after `close`: terminating a thread in native code ends the process. */
import { parentPort } from 'node:worker_threads';
import { invariant } from '@equipoise/core/model';
import { threadCpuMeter } from '../replica/cpu-meter.js';
import type { FromReplica, ReplicaItem, ToReplica } from '../replica/replica-protocol.js';
import { StageServer } from '../replica/serve-stage.js';
import { lowerThreadPriority } from '../replica/stage-priority.js';
import { postTensors } from './movable-tensors.js';

/** Time for timers and sockets left open by a stage. */
const patienceMs = 500;

invariant(parentPort !== null, 'a replica thread is started by its launcher');
const port = parentPort;
lowerThreadPriority();

function say(message: FromReplica): void {
  if (message.kind !== 'result') {
    port.postMessage(message);
    return;
  }
  const { kind, items, serviceMs, cpuMs } = message;
  const outputs = items.map((item) => (item.kind === 'ok' ? item.output : {}));
  postTensors(port, outputs, (moved) => ({
    kind,
    serviceMs,
    cpuMs,
    items: items.map(
      (item, index): ReplicaItem => (item.kind === 'ok' ? { kind: 'ok', output: moved[index] ?? {} } : item),
    ),
  }));
}

function leave(): void {
  port.close();
  setTimeout(() => process.exit(0), patienceMs).unref();
}

const server = new StageServer({ meter: threadCpuMeter(), say, leave });
port.on('message', (message: ToReplica) => server.receive(message));
