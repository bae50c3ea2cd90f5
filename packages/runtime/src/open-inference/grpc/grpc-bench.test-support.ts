/** A gRPC port over scripted replicas, and a client that sends bytes. */
import type { PipelineSpec, SourceTensor } from '@equipoise/core/model';
import { stageId } from '@equipoise/core/model';
import { grpcMethods, grpcPath, readGrpcResponse, readMessage } from '@equipoise/open-inference-codec';
import { type CallOptions, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { PipelineRunner } from '../../data-plane/pipeline-runner.js';
import { type ItemScript, ScriptedRunner, serve, servingSpec } from '../../data-plane/serving-bench.test-support.js';
import { type ServerOptions, startServer } from '../start-server.js';

/** Result of a call. */
export interface Ended {
  readonly answer: Buffer | undefined;
  readonly error: ServiceError | undefined;
  readonly headers: Metadata | undefined;
}

/** A call under way. */
export interface Calling {
  readonly ended: Promise<Ended>;
  cancel(): void;
}

/** Options of a bench; default: one replica that returns its input at once. */
export interface BenchOptions extends Partial<ServerOptions> {
  readonly script?: ItemScript;
  readonly wait?: () => Promise<void>;
  readonly spec?: Partial<PipelineSpec>;
}

export const withInputs = (...tensors: readonly SourceTensor[]): Partial<PipelineSpec> => ({
  sources: [{ name: 'input', to: [stageId('a')], tensors }],
});

/** Serves the one-stage pipeline `bench` over gRPC. */
export async function grpcBench({
  script = (item) => item,
  wait = async () => {},
  spec,
  ...options
}: BenchOptions = {}) {
  const pipeline = servingSpec(['a'], spec);
  const runner = new PipelineRunner({ spec: pipeline, hostCores: Number.POSITIVE_INFINITY });
  const replica = new ScriptedRunner(script, wait);
  serve(runner, 'a', replica);
  const server = await startServer({ runners: [runner], version: '9.9.9', port: 0, grpcPort: 0, ...options });
  const address = server.grpcAddress ?? '';
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
    'grpc.max_receive_message_length': -1,
  });
  const send = (path: string, message: Uint8Array, { metadata = new Metadata(), ...more }: SendOptions = {}): Calling =>
    calling(client, { path, message, metadata, options: more });
  const infer = (message: Uint8Array, more: SendOptions = {}) => send(grpcPath(grpcMethods.modelInfer), message, more);
  const inferred = async (message: Uint8Array, more: SendOptions = {}) => {
    const { answer, error } = await infer(message, more).ended;
    if (error !== undefined) throw error;
    return readGrpcResponse(answer ?? new Uint8Array(0));
  };
  const close = async () => {
    client.close();
    await server.close({ timeoutMs: 100 });
  };
  return { runner, replica, server, address, send, infer, inferred, close };
}

/** Options of a call, and metadata to send. */
export interface SendOptions extends CallOptions {
  readonly metadata?: Metadata;
}

function calling(
  client: Client,
  { path, message, metadata, options }: { path: string; message: Uint8Array; metadata: Metadata; options: CallOptions },
): Calling {
  let cancel = () => {};
  const ended = new Promise<Ended>((resolve) => {
    let headers: Metadata | undefined;
    const same = (bytes: Buffer) => bytes;
    const call = client.makeUnaryRequest(path, same, same, Buffer.from(message), metadata, options, (error, answer) =>
      resolve({ answer, error: error ?? undefined, headers }),
    );
    call.on('metadata', (received) => {
      headers = received;
    });
    cancel = () => call.cancel();
  });
  return { ended, cancel: () => cancel() };
}

export const answered = <Description extends Parameters<typeof readMessage>[0]>(
  description: Description,
  { answer, error }: Ended,
) => {
  if (error !== undefined) throw error;
  return readMessage(description, answer ?? new Uint8Array(0));
};

/** A framed message: a byte for compression, the length, then the message. */
export function framed(message: Uint8Array, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
