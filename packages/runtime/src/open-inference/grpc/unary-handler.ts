/**
 * One call from its message to its status. Whatever a method throws becomes a status; a client that cancels, goes away or whose
 * deadline passes aborts the signal, by which its request leaves the queue that it waits in.
 */
import { type handleUnaryCall, Metadata, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { type AnsweredCall, answeredCall, codeOf } from '../answered-call.js';
import { readRequestId } from '../request-id.js';
import type { Purpose } from '../routes.js';
import { reportFailure, type ServingSetting } from '../serving-setting.js';
import { admitWithinLimit, type Tenant } from '../tenants/tenants.js';
import type { GrpcMethod } from './grpc-method.js';
import { grpcRefusal } from './grpc-refusal.js';

/** A method, and what it is for. */
export interface GuardedMethod {
  readonly method: GrpcMethod;
  readonly purpose: Purpose;
}

/** A method as the transport calls it, bytes in and bytes out. */
export function unaryHandler(
  setting: ServingSetting,
  { method, purpose }: GuardedMethod,
): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const requestId = readRequestId(call.metadata.get('x-request-id')[0]);
    const headers = new Metadata();
    headers.set('x-request-id', requestId);
    call.sendMetadata(headers);
    const asker: Asker = { tenant: undefined };
    const count = (code: AnsweredCall['code']) => {
      if (purpose !== 'probe') setting.onAnswer(answeredCall('grpc', code, asker.tenant));
    };
    answered(setting, { method, purpose, call, requestId, asker }).then(
      (answer) => {
        count('OK');
        callback(null, answer);
      },
      (error: unknown) => {
        reportFailure(setting, error);
        count(codeOf(error));
        callback(grpcRefusal(error));
      },
    );
  };
}

/** Who asks, once it is known. */
interface Asker {
  tenant: Tenant | undefined;
}

interface Handled extends GuardedMethod {
  readonly call: ServerUnaryCall<Buffer, Buffer>;
  readonly requestId: string;
  readonly asker: Asker;
}

async function answered(setting: ServingSetting, handled: Handled): Promise<Buffer> {
  const { method, purpose, call, requestId, asker } = handled;
  if (purpose !== 'probe') asker.tenant = setting.tenants?.identify(call.metadata.get('authorization')[0]);
  if (purpose === 'inference' && asker.tenant !== undefined) admitWithinLimit(asker.tenant, performance.now());
  const gone = new AbortController();
  if (call.cancelled) gone.abort();
  call.once('cancelled', () => gone.abort());
  const answer = await method(call.request, {
    pipelines: setting.pipelines,
    requestId,
    remainingMs: remainingMsOf(call),
    signal: gone.signal,
    phase: setting.phase(),
    maxBodyBytes: setting.maxBodyBytes,
  });
  return Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
}

function remainingMsOf(call: ServerUnaryCall<Buffer, Buffer>): number | undefined {
  const deadline = Number(call.getDeadline());
  return deadline === Number.POSITIVE_INFINITY ? undefined : deadline - Date.now();
}

/** What a call ends with whose message did not come in time. */
export const lateMessage = {
  code: status.DEADLINE_EXCEEDED,
  details: 'The request did not arrive in time. Send its message without long pauses.',
};
