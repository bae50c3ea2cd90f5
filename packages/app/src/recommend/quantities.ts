import type { FreeQuantity } from '@equipoise/core/plan';
import { msText, rateText } from '../terminal/plan-table.js';

/** A quantity with its unit in texts. */
export const quantities: Readonly<Record<FreeQuantity, { readonly title: string; text(value: number): string }>> = {
  cost: { title: 'cheapest', text: (value) => `${value.toFixed(2)} per hour` },
  accuracy: { title: 'most accurate', text: (value) => `accuracy ${value.toFixed(3)}` },
  load: { title: 'highest load', text: (value) => `${rateText(value)} rps` },
  slo: { title: 'shortest SLO', text: msText },
  robustness: { title: 'most robust', text: (value) => `service times × ${value.toFixed(2)}` },
};
