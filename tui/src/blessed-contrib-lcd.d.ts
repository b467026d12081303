// Only the one widget we use: the package's index would load maps, pictures and markdown too.
declare module 'blessed-contrib/lib/widget/lcd.js' {
  import type { Widgets } from 'blessed';

  export default function lcd(
    options: Record<string, unknown>,
  ): Widgets.BoxElement & { setDisplay(text: string): void; setOptions(options: Record<string, unknown>): void };
}
