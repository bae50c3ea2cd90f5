/** Messages of a replica as frames. The tensors are the batch or its outputs; everything else is the body. */
import type { FromReplica, ReplicaError, ReplicaItem, ToReplica } from '../replica/replica-protocol.js';
import { type Frame, frameOf } from './frame.js';

export function framesToReplica(message: ToReplica): readonly Uint8Array[] {
  if (message.kind !== 'run') return frameOf(message, []);
  return frameOf({ kind: 'run' }, message.batch);
}

export function messageToReplica({ body, tensors }: Frame): ToReplica {
  if (body['kind'] === 'run') return { kind: 'run', batch: tensors };
  return body as unknown as ToReplica;
}

export function framesFromReplica(message: FromReplica): readonly Uint8Array[] {
  if (message.kind !== 'result') return frameOf(message, []);
  const items = message.items.map((item) => (item.kind === 'ok' ? { kind: 'ok' } : item));
  return frameOf(
    { kind: message.kind, serviceMs: message.serviceMs, cpuMs: message.cpuMs, items },
    message.items.map((item) => (item.kind === 'ok' ? item.output : {})),
  );
}

/** Reads a message of a replica, which is not trusted. Throws an Error if it is invalid. */
export function messageFromReplica({ body, tensors }: Frame): FromReplica {
  const { kind, items, serviceMs, cpuMs, error } = body;
  switch (kind) {
    case 'ready':
      return { kind };
    case 'load-failed':
      return { kind, error: errorOf(error) };
    case 'closed':
      return error === undefined ? { kind } : { kind, error: errorOf(error) };
    case 'result':
      if (!Array.isArray(items) || items.length !== tensors.length) throw new Error('a result without its items');
      if (typeof serviceMs !== 'number') throw new Error('a result without its service time');
      if (cpuMs !== undefined && !(typeof cpuMs === 'number' && cpuMs >= 0))
        throw new Error('a result with a wrong CPU time');
      return { kind, serviceMs, cpuMs, items: items.map((item, index) => itemOf(item, tensors[index] ?? {})) };
    default:
      throw new Error(`a message of kind ${JSON.stringify(kind)}`);
  }
}

function errorOf(error: unknown): ReplicaError {
  const { code, message } = (error ?? {}) as Partial<ReplicaError>;
  return { ...(typeof code === 'string' ? { code } : {}), message: String(message) };
}

function itemOf(item: unknown, output: Frame['tensors'][number]): ReplicaItem {
  const { kind, message } = (item ?? {}) as { readonly kind?: unknown; readonly message?: unknown };
  if (kind === 'ok') return { kind, output };
  if (kind === 'invalid-input' || kind === 'stage-failed') return { kind, message: String(message) };
  throw new Error(`a result with an item of kind ${JSON.stringify(kind)}`);
}
