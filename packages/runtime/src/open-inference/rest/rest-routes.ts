/** Routes of the serving port, with the endpoints of health, metadata and metrics. */
import { readIndexRequest } from '@equipoise/open-inference-codec';
import { type Answer, allReadyAnswer, liveAnswer, ok, readyAnswer } from '../../net/answer.js';
import type { Purpose } from '../../net/call.js';
import { type MetricsPage, SharedPage } from '../../net/metrics-page.js';
import type { Route } from '../../net/router.js';
import { metadataOf, serverMetadataOf } from '../served-pipeline.js';
import { modelConfigOf, modelStatisticsOf, repositoryIndexOf } from '../triton-extensions.js';
import { type Endpoint, pipelineOf, type RestRequest, readQuestion } from './endpoint.js';
import { feedback } from './feedback-endpoint.js';
import { infer } from './infer-endpoint.js';
import { run } from './run-endpoint.js';

/** A route whose path has at most the parameter `{pipeline}`. */
export interface RestRoute extends Route {
  readonly endpoint: Endpoint;
  readonly purpose: Purpose;
}

/** `/metrics` only if there is a page. */
export function restRoutes(version: string, page?: MetricsPage): readonly RestRoute[] {
  const metrics = (shared: SharedPage): RestRoute => ({
    method: 'GET',
    path: '/metrics',
    endpoint: ({ query }) => shared.answer(query),
    purpose: 'metrics',
  });
  return [
    ...(page === undefined ? [] : [metrics(new SharedPage(page))]),
    { method: 'GET', path: '/livez', endpoint: liveAnswer, purpose: 'probe' },
    { method: 'GET', path: '/readyz', endpoint: ready, purpose: 'probe' },
    { method: 'GET', path: '/v2', endpoint: () => ok(serverMetadataOf(version)), purpose: 'metadata' },
    { method: 'GET', path: '/v2/health/live', endpoint: liveAnswer, purpose: 'probe' },
    { method: 'GET', path: '/v2/health/ready', endpoint: ready, purpose: 'probe' },
    { method: 'GET', path: '/v2/models/stats', endpoint: statistics, purpose: 'metadata' },
    { method: 'GET', path: '/v2/models/{pipeline}', endpoint: modelMetadata, purpose: 'metadata' },
    { method: 'GET', path: '/v2/models/{pipeline}/ready', endpoint: pipelineReady, purpose: 'metadata' },
    { method: 'GET', path: '/v2/models/{pipeline}/config', endpoint: modelConfig, purpose: 'metadata' },
    { method: 'GET', path: '/v2/models/{pipeline}/stats', endpoint: statistics, purpose: 'metadata' },
    { method: 'POST', path: '/v2/repository/index', endpoint: repositoryIndex, purpose: 'metadata' },
    { method: 'POST', path: '/v2/models/{pipeline}/feedback', endpoint: feedback, purpose: 'metadata' },
    { method: 'POST', path: '/v2/models/{pipeline}/infer', endpoint: infer, purpose: 'inference' },
    { method: 'POST', path: '/v1/pipelines/{pipeline}/run', endpoint: run, purpose: 'inference' },
  ];
}

/** Readiness: every stage of every pipeline has a replica in service. */
function ready({ pipelines, phase }: RestRequest): Answer {
  return allReadyAnswer(phase === 'serving', pipelines.values());
}

function pipelineReady(request: RestRequest): Answer {
  const pipeline = pipelineOf(request);
  return readyAnswer(request.phase === 'serving' && pipeline.ready, { name: pipeline.name });
}

/** Metadata of a pipeline, or of a stage by `PIPELINE.STAGE`. */
function modelMetadata({ pipelines, pipelineName }: RestRequest): Answer {
  return ok(metadataOf(pipelines, pipelineName));
}

function modelConfig({ pipelines, pipelineName }: RestRequest): Answer {
  return ok(modelConfigOf(pipelines, pipelineName));
}

function statistics({ pipelines, pipelineName }: RestRequest): Answer {
  return ok(modelStatisticsOf(pipelines, pipelineName));
}

/** The body is empty or `{"ready": BOOLEAN}`. */
async function repositoryIndex(request: RestRequest): Promise<Answer> {
  const isReadyOnly = readIndexRequest(await readQuestion(request));
  return ok(repositoryIndexOf(request.pipelines, request.phase, isReadyOnly));
}
