/** Light or dark: as the system, or as chosen in this browser. */
import { computed, effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'equipoise-theme';

const saved = (): Theme => {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system';
  }
};

export const theme = signal<Theme>(saved());
const isSystemDark = signal(false);

/** The theme that is shown. Charts depend on it. */
export const shownTheme = computed(() =>
  theme.value === 'system' ? (isSystemDark.value ? 'dark' : 'light') : theme.value,
);

export function followTheme(): void {
  const query = matchMedia('(prefers-color-scheme: dark)');
  isSystemDark.value = query.matches;
  query.addEventListener('change', ({ matches }) => {
    isSystemDark.value = matches;
  });
  effect(() => {
    document.documentElement.dataset['theme'] = shownTheme.value;
    try {
      localStorage.setItem(KEY, theme.value);
    } catch {
      // Storage may be switched off. Then the choice lasts until the page is closed.
    }
  });
}
