/**
 * `equipoise.AnswerService/Listen`: a stream of the answers of a pipeline by id. The stream lasts until the client
 * cancels it, falls too far behind, or the server closes.
 */
import { constants } from 'node:http2';
import { AppError } from '@equipoise/core/model';
import {
  listenMethod,
  readMessage,
  writeAnswerEvent,
  writeFailureEvent,
  writeGrpcResponse,
} from '@equipoise/open-inference-codec';
import type { Purpose } from '../../net/call.js';
import { dropError } from '../../net/refusal.js';
import { eventOutputs, type FeedEvent, type FeedPlace } from '../answer-feed.js';
import { pipelineByName } from '../served-pipeline.js';
import { authenticate, MOST_QUESTION_BYTES, type ServingRules } from '../serving-rules.js';
import type { Tenant } from '../tenants/tenants.js';
import { type CallStream, GrpcCall } from './grpc-call.js';
import { framed } from './grpc-message.js';
import { grpcRefusal, grpcStatus } from './grpc-status.js';

interface ListenRoute {
  readonly purpose: Purpose;
}

const closing = { 'grpc-status': String(grpcStatus.unavailable), 'grpc-message': 'The server is shutting down.' };

export class AnswersCall extends GrpcCall<ListenRoute, FeedPlace, Tenant> {
  readonly #rules: ServingRules;

  constructor(rules: ServingRules, stream: CallStream) {
    super(rules, stream);
    this.#rules = rules;
  }

  protected route(): ListenRoute {
    return { purpose: 'metadata' };
  }

  protected authenticate({ purpose }: ListenRoute): Tenant | undefined {
    return authenticate(this.#rules, purpose, this.headers.authorization);
  }

  protected override mostBytes(): number {
    return MOST_QUESTION_BYTES;
  }

  protected answer(_: ListenRoute, message: Uint8Array): FeedPlace {
    const { pipelines, answers, phase } = this.#rules;
    const { modelName } = readMessage(listenMethod.input, message);
    const { name, isPart } = pipelineByName(pipelines, modelName);
    if (isPart) throw new AppError('NOT_FOUND', 'A source has no answers of its own; listen to its pipeline.');
    if (phase() === 'closing') throw dropError('draining');
    const place = { pipeline: name, tenant: this.caller?.name };
    answers.requireRoom(place);
    return place;
  }

  protected lengthOf(): number {
    return 0;
  }

  protected write(place: FeedPlace): void {
    const { stream } = this;
    if (stream.destroyed || stream.closed) return;
    this.respond(closing);
    const isOver = () => stream.destroyed || stream.closed || stream.writableEnded;
    const unsubscribe = this.#rules.answers.subscribe(place, {
      encode: answerEvent,
      get unsentBytes() {
        return stream.writableLength;
      },
      tell: (event) => {
        if (!isOver()) for (const part of framed(event as Uint8Array)) stream.write(part);
      },
      end: () => {
        if (!isOver()) stream.end();
      },
      // Clients of gRPC read this code as RESOURCE_EXHAUSTED.
      cutOff: () => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM),
    });
    stream.once('close', unsubscribe);
  }
}

function answerEvent(event: FeedEvent): Uint8Array {
  const { id, pipeline: modelName } = event.request;
  if (event.kind === 'failure') {
    const { code, details, fields } = grpcRefusal(event.error);
    const [named = '', reason = ''] = [fields['equipoise-code'], fields['equipoise-reason']];
    return writeFailureEvent({ id, modelName, status: code, message: details, code: named, reason });
  }
  const { missing, latencyMs } = event.run;
  const { outputs, ...omitted } = eventOutputs(event.run);
  const answer = writeGrpcResponse({ modelName, id, missing }, outputs, false);
  return writeAnswerEvent({ id, modelName, latencyMs, ...omitted }, answer);
}
