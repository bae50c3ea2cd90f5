/** Answers by tenant. They stand in a registry of their own, because a tenant is not to read of the others. */
import { Counter, type Registry } from 'prom-client';
import type { AnsweredCall } from '../net/call.js';

/** Counts answers by tenant; the names are those of the token file. */
export class TenantMetrics {
  readonly #answers: Counter<'tenant' | 'code'>;

  constructor(registry: Registry) {
    this.#answers = new Counter({
      name: 'equipoise_tenant_answers_total',
      help: 'Answers by tenant and error code (OK without one).',
      labelNames: ['tenant', 'code'],
      registers: [registry],
    });
  }

  answered({ tenant, code }: AnsweredCall): void {
    if (tenant !== undefined) this.#answers.inc({ tenant, code });
  }
}
