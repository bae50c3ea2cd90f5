import type { FreeQuantity } from '@equipoise/core/plan';
import { msText, rateText } from '../terminal/plan-table.js';

/** A quantity: its question, its name and unit at an axis, and its values as texts. */
interface Quantity {
  readonly title: string;
  readonly label: string;
  readonly unit?: string;
  text(value: number): string;
}

export const quantities: Readonly<Record<FreeQuantity, Quantity>> = {
  cost: { title: 'cheapest', label: 'cost', unit: 'per hour', text: (value) => `${value.toFixed(2)} per hour` },
  accuracy: { title: 'most accurate', label: 'accuracy', text: (value) => `accuracy ${value.toFixed(3)}` },
  load: { title: 'highest load', label: 'load', unit: 'rps', text: (value) => `${rateText(value)} rps` },
  slo: { title: 'shortest SLO', label: 'SLO', unit: 'ms', text: msText },
  robustness: {
    ...{ title: 'most robust', label: 'service times', unit: '÷ profiled ones' },
    text: (value) => `service times × ${value.toFixed(2)}`,
  },
};
