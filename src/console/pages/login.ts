/** The login page's script. The form works without it; what follows `#` in a link that logs in once does not. */

const ticket = location.hash.slice(1);
if (ticket !== '') {
  history.replaceState(null, '', '/login');
  const response = await fetch('/login/link', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ticket }),
  });
  if (response.ok) location.assign('/');
  else {
    const problem: { readonly title?: string } = await response.json();
    const alert = document.createElement('p');
    alert.setAttribute('role', 'alert');
    alert.textContent = problem.title ?? 'This link does not work.';
    document.querySelector('form')?.before(alert);
  }
}
document.querySelector<HTMLInputElement>('#password')?.focus();

export {};
