/** An operator in the process of the test, over a new namespace of a real control plane. */
import { SeededRng } from '@equipoise/core/model';
import { written } from '../api/conformance/subject.test-support.js';
import { deployments, type InferencePipeline, pipelines } from '../cluster/observed-objects.js';
import { Operator } from '../deploy/operator.js';
import { eventually, namespaceOfOperator } from './cluster-objects.test-support.js';
import { type ClusterSuite, human, operatorUser } from './cluster-suite.test-support.js';
import { images, planWith, shelf, ToldPlans } from './memory/pipeline-fixture.test-support.js';
import { realClock } from './real-clock.test-support.js';

export const SMALL = 'shelf--detect--small';

/** Operator of a new namespace, with helpers to read it. */
export async function startOperator(
  { admin, plane }: Pick<ClusterSuite, 'admin' | 'plane'>,
  plan = planWith('small', 2),
) {
  const namespace = await namespaceOfOperator(admin);
  const source = new ToldPlans(plan);
  const failures: string[] = [];
  /** Time by which the operator's calendar is ahead. */
  const ahead = { ms: 0 };
  const base = {
    ...{
      api: await plane.api(operatorUser),
      clock: realClock,
      rng: new SeededRng(5),
      nowEpochMs: () => Date.now() + ahead.ms,
      source,
      namespace,
    },
    imagesOf: () => images,
    onFailure: (what: string, error: unknown) => failures.push(`${what}: ${String(error)}`),
  };
  const abort = new AbortController();
  const run = (signal: AbortSignal) => new Operator(base).run(signal);
  const ref = { type: pipelines, namespace, name: 'shelf' };
  const find = (name: string) => admin.get({ type: deployments, namespace, name });
  const condition = async (type: string) =>
    (await admin.get(ref))?.status?.conditions?.find((each) => each.type === type);
  const isReady = async (name: string, replicas: number) => (await find(name))?.status?.readyReplicas === replicas;
  const all = async () => {
    const page = await admin.list({ type: deployments, namespace });
    return page.kind === 'page' ? page.objects : [];
  };
  const create = async (
    annotations: Readonly<Record<string, string>> = {},
    pipeline = shelf({ namespace }),
  ): Promise<InferencePipeline> => {
    const { metadata, ...rest } = pipeline;
    const { name } = metadata;
    return written(await admin.create(pipelines, { ...rest, metadata: { name, namespace, annotations } }, human));
  };

  const settled = () => eventually(async () => (await condition('Ready'))?.status === 'True');

  return {
    namespace,
    create,
    settled,
    source,
    failures,
    ahead,
    abort,
    run,
    ref,
    find,
    condition,
    isReady,
    all,
    base,
  };
}
