/** Writes a ticket: `desk` and `summary` BYTES [1] become `ticket` BYTES [1], `[DESK] SUMMARY`, with both. */
import type { LoadedStage, TensorMap } from '@equipoise/core';

export function load(): LoadedStage {
  return { run: (batch) => batch.map(ticketOf) };
}

function ticketOf({ desk, summary }: TensorMap): TensorMap {
  const name = String(desk?.data[0] ?? '');
  const ticket = `[${name || 'unclear'}] ${String(summary?.data[0] ?? '')}`.trim();
  return {
    ...(desk && { desk }),
    ...(summary && { summary }),
    ticket: { datatype: 'BYTES', shape: [1], data: [ticket] },
  };
}
