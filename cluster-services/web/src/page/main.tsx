import { render } from 'preact';
import { App, Label, Mark } from './app.tsx';
import { WardStore } from './ward-store.ts';

const KEPT = 'vitalwire.token';

/** The token comes in the fragment, which no server sees, is kept for this tab only, and leaves the address bar at once. */
function takeToken(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token !== null && token !== '') {
    sessionStorage.setItem(KEPT, token);
    history.replaceState(null, '', location.pathname);
    return token;
  }
  return sessionStorage.getItem(KEPT);
}

function NoToken() {
  return (
    <div class="shell">
      <header class="bar">
        <Mark />
      </header>
      <main class="ward">
        <h1 class="quietly">Vitalwire</h1>
        <p class="empty">This page needs a token. Open the address that "vitalwire up" prints: it ends in #token=…</p>
      </main>
      <footer class="label">
        <Label />
      </footer>
    </div>
  );
}

const root = document.getElementById('app');
const token = takeToken();
if (root !== null) {
  if (token === null) render(<NoToken />, root);
  else {
    const store = new WardStore(token);
    render(<App store={store} />, root);
    store.link.open();
  }
}
