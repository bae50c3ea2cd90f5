/** Operations that several ports have. */
import { z } from 'zod';
import type { Content, Operation } from './openapi-document.js';

export const json = (schema: z.ZodType): Content => ({ 'application/json': schema });

const live = z.looseObject({ live: z.literal(true) });

/** Readiness of a server or a pipeline. */
export const readiness = z.looseObject({
  ready: z.boolean(),
  name: z.string().optional(),
  notReady: z.array(z.string()).optional().describe('Pipelines that are not ready.'),
});

export const liveOperation: Operation = {
  id: 'live',
  summary: 'Answers while the server runs.',
  answer: json(live),
  refusals: 'probe',
};

export const readyOperation: Operation = {
  id: 'ready',
  summary: 'Answers 200 if all pipelines are ready, otherwise 503.',
  answer: json(readiness),
  refusals: 'probe',
  notReady: readiness,
};

export const metricsOperation: Operation = {
  id: 'metrics',
  summary: 'Metrics for Prometheus.',
  query: z.object({ 'name[]': z.array(z.string()).optional().describe('Only these metrics.') }),
  answer: { 'text/plain': 'text', 'application/openmetrics-text': 'text' },
  refusals: 'page',
};

export const documentOperation: Operation = {
  id: 'openApi',
  summary: 'This document.',
  answer: json(z.looseObject({ openapi: z.string() })),
  refusals: 'page',
};
