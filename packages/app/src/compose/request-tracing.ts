/** Tracing of a served pipeline, by flags and by the environment variables of OpenTelemetry. */
import { randomInt } from 'node:crypto';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { AppError, type PipelineSpec, SeededRng } from '@equipoise/core/model';
import { RequestTracer } from '@equipoise/runtime';
import { log } from '../terminal/log.js';
import { VERSION } from '../version.js';

export interface TracingOptions {
  /** Fraction of the requests whose traces are kept, or `off`. */
  readonly traceSample: number | 'off';
  /** URL of an OpenTelemetry collector. */
  readonly otlpEndpoint?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Place and identity for the exporter. */
export interface ExportPlace {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
}

interface Exporter {
  close(timeoutMs: number): Promise<void>;
}

/** Tracer of the served pipeline; undefined if tracing is off. */
export function requestTracer({ traceSample }: TracingOptions): RequestTracer | undefined {
  if (traceSample === 'off') return undefined;
  const rng = new SeededRng(randomInt(2 ** 31));
  return new RequestTracer({ sampling: { fraction: traceSample }, rng, epochMs: Date.now });
}

/** Exports the traces if a flag or the environment names a collector. Loads the exporter only then. */
export async function startExporter(
  tracer: RequestTracer | undefined,
  place: ExportPlace | undefined,
  { name, stages }: PipelineSpec,
): Promise<Exporter | undefined> {
  if (tracer === undefined || place === undefined) return undefined;
  const { OtlpExporter, withoutQuery } = await import('@equipoise/runtime/otlp');
  log(`traces go to ${withoutQuery(place.url)}`);
  return new OtlpExporter(tracer, {
    ...place,
    pipeline: name,
    stageIds: stages.map(({ id }) => id),
    version: VERSION,
    onProblem: (problem) => log(`traces are not exported: ${problem}`),
  });
}

/** Throws AppError WRONG_USAGE for an invalid URL or list. */
export function exportPlace({ otlpEndpoint }: TracingOptions, environment: Environment): ExportPlace | undefined {
  if (environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return undefined;
  const base = otlpEndpoint ?? (environment['OTEL_EXPORTER_OTLP_ENDPOINT'] || undefined);
  const whole = otlpEndpoint === undefined ? environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || undefined : undefined;
  const url = whole ?? (base === undefined ? undefined : tracesUrl(base));
  if (url === undefined) return undefined;
  // No request accepts them in a URL, and the log names the URL.
  if (/^[^/?#]*\/\/[^/?#]*@/.test(url))
    throw new AppError(
      'WRONG_USAGE',
      'The URL of the collector has a user or a password; pass them as a header in OTEL_EXPORTER_OTLP_HEADERS.',
    );
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new AppError(
      'WRONG_USAGE',
      `Expected http://HOST:PORT of an OpenTelemetry collector (OTLP over HTTP, usually port 4318), found ${url.replace(/[?#].*$/, '')}.`,
    );
  const serviceName = environment['OTEL_SERVICE_NAME'];
  return {
    url,
    headers: {
      ...headers(environment, 'OTEL_EXPORTER_OTLP_HEADERS'),
      ...headers(environment, 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'),
    },
    resource: {
      'service.name': 'equipoise',
      'service.version': VERSION,
      ...pairs(environment, 'OTEL_RESOURCE_ATTRIBUTES'),
      ...(serviceName && { 'service.name': serviceName }),
    },
  };
}

/** The path of traces below `base`, before its query. */
function tracesUrl(base: string): string {
  const [, place = '', query = ''] = /^([^?#]*)(.*)$/s.exec(base) ?? [];
  return `${place.replace(/\/+$/, '')}/v1/traces${query}`;
}

/** Errors name no value, because headers have secrets. */
function headers(environment: Environment, name: string): Readonly<Record<string, string>> {
  const found = pairs(environment, name);
  for (const [key, value] of Object.entries(found))
    try {
      validateHeaderName(key);
      validateHeaderValue(key, value);
    } catch {
      throw new AppError('WRONG_USAGE', `${name} has a pair that is no valid header.`);
    }
  return found;
}

/** Pairs such as `a=1,b=2`, whose values are percent-encoded. */
function pairs(environment: Environment, name: string): Readonly<Record<string, string>> {
  const members = (environment[name] ?? '').split(',').filter((member) => member.trim() !== '');
  return Object.fromEntries(
    members.map((member) => {
      const at = member.indexOf('=');
      const key = member.slice(0, Math.max(0, at)).trim();
      try {
        if (/^[^\s:]+$/.test(key)) return [key, decodeURIComponent(member.slice(at + 1).trim())];
      } catch {
        // Reported below.
      }
      throw new AppError(
        'WRONG_USAGE',
        `${name} has an invalid pair; expected key=value,key=value with percent-encoded values.`,
      );
    }),
  );
}
