/** The operator as a process of its own, so that its processor time can be measured. Its plans are given. */
import { type Plan, SeededRng } from '@equipoise/core/model';
import { HttpKubeApi } from '../../packages/adapter-kubernetes/src/api/http/http-kube-api.js';
import { kubeConnection } from '../../packages/adapter-kubernetes/src/api/http/kube-connection.js';
import { Operator } from '../../packages/adapter-kubernetes/src/deploy/operator.js';
import type { PlanAnswer, PlanNews, PlanSource } from '../../packages/adapter-kubernetes/src/plan/planning.js';
import { realClock } from '../../packages/adapter-kubernetes/src/test-cluster/real-clock.test-support.js';
import type { OperatorCommand, OperatorStart, OperatorUsage } from './operator-messages.js';

const ARRIVAL_RPS = 10;

class PlansByPipeline implements PlanSource {
  readonly #answers = new Map<string, PlanAnswer>();
  readonly #listeners: ((key: string, news: PlanNews) => void)[] = [];

  decide(plans: Readonly<Record<string, Plan>>): void {
    for (const [key, plan] of Object.entries(plans)) {
      this.#answers.set(key, {
        kind: 'plan',
        plan,
        profiles: [],
        arrivalRps: ARRIVAL_RPS,
        plannedAtEpochMs: Date.now(),
      });
      for (const listener of this.#listeners) listener(key, 'plan');
    }
  }

  planOf(key: string): Promise<PlanAnswer> {
    return Promise.resolve(
      this.#answers.get(key) ?? { kind: 'unplanned', reason: 'Failed', message: 'nobody planned' },
    );
  }

  signalsOf() {
    return {};
  }

  forget(key: string): void {
    this.#answers.delete(key);
  }

  onDecided(listener: (key: string, news: PlanNews) => void): void {
    this.#listeners.push(listener);
  }
}

const source = new PlansByPipeline();
const failures: string[] = [];
const abort = new AbortController();

async function run({ kubeconfig, namespace, plans }: OperatorStart): Promise<void> {
  source.decide(plans);
  const connection = await kubeConnection({ kind: 'text', kubeconfig }, { nowMs: () => performance.now() });
  await new Operator({
    ...{ api: new HttpKubeApi(connection), clock: realClock, rng: new SeededRng(1), source, namespace },
    nowEpochMs: () => Date.now(),
    imagesOf: () => ({ pipeline: 'bench:1', byVariant: {} }),
    onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
  }).run(abort.signal);
}

function usage(): OperatorUsage {
  const { user, system } = process.cpuUsage();
  return { processorS: (user + system) / 1e6, residentBytes: process.memoryUsage.rss(), failures };
}

process.on('message', (message) => {
  const command = message as OperatorCommand;
  switch (command.kind) {
    case 'start':
      void run(command).then(() => process.exit(0));
      break;
    case 'decide':
      source.decide(command.plans);
      break;
    case 'usage':
      process.send?.(usage());
      break;
    case 'stop':
      abort.abort();
  }
});

// The parent process is gone.
process.on('disconnect', () => process.exit(1));
