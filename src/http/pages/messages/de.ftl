# Deutsch. Eine Meldung je Zeile; { $name } wird eingesetzt.

month-1 = Januar
month-2 = Februar
month-3 = März
month-4 = April
month-5 = Mai
month-6 = Juni
month-7 = Juli
month-8 = August
month-9 = September
month-10 = Oktober
month-11 = November
month-12 = Dezember
date = { $day }. { $month } { $year }
ago-now = gerade eben
ago-minutes = { $count ->
    [one] vor 1 Minute
   *[other] vor { $count } Minuten
}
ago-hours = { $count ->
    [one] vor 1 Stunde
   *[other] vor { $count } Stunden
}
ago-days = { $count ->
    [one] vor 1 Tag
   *[other] vor { $count } Tagen
}
ago-date = am { $date }

title-problem = Fehler:
skip-to-content = Zum Inhalt springen
show = Zeigen
hide = Verbergen
show-password = Passwort zeigen
hide-password = Passwort verbergen
more = Mehr zeigen
continue = Weiter
request-id = Vorgangsnummer

sign-in = Anmelden
sign-in-heading = Anmelden bei { $tenant }
continue-to = und weiter zu { $client }
username-label = E-Mail-Adresse
password-label = Passwort
use-another-account = Anderes Konto verwenden
client-terms = Zu { $client }:
privacy-policy = Datenschutz
terms-of-service = Nutzungsbedingungen

select-account-heading = Konto auswählen
select-account-lede = Diese Konten wurden in diesem Browser bei { $tenant } verwendet.
select-account-empty = In diesem Browser ist noch niemand angemeldet.
signed-out-state = Abgemeldet

consent-heading = { $client } Zugriff geben?
consent-asks = möchte Ihr Konto bei { $tenant } verwenden.
consent-able = Das wird damit möglich
consent-resource = Das wird in { $resource } damit möglich
consent-nothing = Die Anwendung erfährt nur, dass Sie sich angemeldet haben, und sonst nichts über Sie.
consent-return = Danach geht es weiter zu { $host }.
consent-withdraw = Sie können den Zugriff jederzeit in Ihrem Konto widerrufen.
allow = Erlauben
deny = Nicht erlauben
scope-openid = Sie bei der Anmeldung wiedererkennen
scope-profile = Ihren Namen und Ihr Profil sehen
scope-email = Ihre E-Mail-Adresse sehen
scope-address = Ihre Postanschrift sehen
scope-phone = Ihre Telefonnummer sehen
scope-offline-access = Diesen Zugriff auch in Ihrer Abwesenheit behalten
scope-device-sso = Sie auf diesem Gerät bei den anderen Anwendungen desselben Anbieters anmelden

user-code-heading = Gerät verbinden
user-code-lede = Ihr Gerät zeigt einen Code. Geben Sie ihn hier ein.
user-code-label = Code
user-code-form = Acht Buchstaben, zum Beispiel WDJB-MJHT. Großschreibung und Bindestrich spielen keine Rolle.
user-code-warning = Verwenden Sie nur einen Code, den Ihr eigenes Gerät zeigt. Wer Ihnen einen schickt, will Ihnen nicht helfen.
device-heading = { $client } verbinden?
device-asks = möchte auf einem anderen Gerät Ihr Konto bei { $tenant } verwenden.
device-warning = Machen Sie nur weiter, wenn Sie dies gerade selbst begonnen haben und Ihr Gerät diesen Code zeigt. Hat Ihnen jemand den Code geschickt oder Sie gebeten, ihn einzugeben? Dann wählen Sie „Nicht erlauben“: Sie würden diese Person in Ihr Konto lassen.
device-code = Code auf dem Gerät
device-asked = Angefragt
device-address = Von der Netzadresse
device-allowed-heading = Ihr Gerät ist verbunden
device-allowed-lede = { $client } macht in wenigen Sekunden von selbst weiter. Sie können diese Seite schließen.
device-denied-heading = Nichts wurde erlaubt
device-denied-lede = { $client } hat keinen Zugriff bekommen. Falls Sie dies nicht selbst begonnen haben, müssen Sie nichts weiter tun.

request-heading = Sind Sie das, bei { $client }?
request-asks = fragt nach Ihnen und möchte Ihr Konto bei { $tenant } verwenden.
request-warning = Machen Sie nur weiter, wenn Sie dies gerade selbst begonnen haben. Hat Sie jemand gebeten, es zu erlauben, oder wissen Sie nicht, warum Sie gefragt werden? Dann wählen Sie „Nicht erlauben“: Sie würden diese Person in Ihr Konto lassen.
request-warning-compare = Machen Sie nur weiter, wenn Sie dies gerade selbst begonnen haben und die Anwendung genau diesen Text zeigt. Hat Sie jemand gebeten, es zu erlauben, oder wissen Sie nicht, warum Sie gefragt werden? Dann wählen Sie „Nicht erlauben“: Sie würden diese Person in Ihr Konto lassen.
request-message = Die Anwendung zeigt
request-asked = Angefragt
request-ends = Zu beantworten
request-left = { $minutes ->
    [one] innerhalb einer Minute
   *[other] innerhalb von { $minutes } Minuten
}
request-answer = Antworten
request-allowed-heading = Sie haben es erlaubt
request-allowed-lede = { $client } macht in wenigen Sekunden von selbst weiter. Sie können diese Seite schließen.
request-denied-heading = Nichts wurde erlaubt
request-denied-lede = { $client } hat keinen Zugriff bekommen. Falls Sie dies nicht selbst begonnen haben, müssen Sie nichts weiter tun.

sign-out = Abmelden
sign-out-heading = Abmelden?
sign-out-lede = Damit endet Ihre Sitzung bei { $tenant } in diesem Browser.
stay-signed-in = Angemeldet bleiben
signed-out-heading = Sie sind abgemeldet
signed-out-lede = Ihre Sitzung bei { $tenant } in diesem Browser ist beendet.
signed-out-onward = Die Anwendungen erfahren es; es geht gleich weiter.
sign-in-again = Wieder anmelden

choose-password-heading = Passwort festlegen
choose-password-lede = Für Ihr Konto bei { $tenant }
choose-password = Passwort festlegen
new-password-label = Neues Passwort
confirm-password-label = Neues Passwort, noch einmal
current-password-label = Bisheriges Passwort
password-rules-length = Mindestens { $min } Zeichen. Einige Wörter ohne Zusammenhang sind leicht zu merken und schwer zu erraten.
password-rules-common = Allgemein bekannte Passwörter werden abgelehnt.
link-spent-heading = Dieser Link gilt nicht mehr
link-spent-lede = Er wurde schon verwendet oder ist zu alt. Wenn Sie noch ein Passwort festlegen müssen, bitten Sie die Person, von der Sie den Link haben, um einen neuen.

problem-username-missing = Geben Sie Ihre E-Mail-Adresse ein.
problem-password-missing = Geben Sie ein Passwort ein.
problem-credentials = E-Mail-Adresse und Passwort passen nicht zusammen. Prüfen Sie beides und versuchen Sie es noch einmal. Wenn Sie Ihr Passwort vergessen haben, kann Ihnen jemand aus der Verwaltung einen Link geben, mit dem Sie ein neues festlegen.
problem-too-many-attempts = { $minutes ->
    [one] Zu viele Versuche. Warten Sie eine Minute und versuchen Sie es dann noch einmal.
   *[other] Zu viele Versuche. Warten Sie { $minutes } Minuten und versuchen Sie es dann noch einmal.
}
problem-busy = Gerade ist sehr viel los. Warten Sie einen Moment und versuchen Sie es dann noch einmal.
problem-form-lapsed = Diese Seite war zu lange offen. Bitte senden Sie sie noch einmal ab.
problem-current-password = Das ist nicht Ihr bisheriges Passwort.
problem-password-too-short = { $min ->
    [one] Verwenden Sie mindestens 1 Zeichen.
   *[other] Verwenden Sie mindestens { $min } Zeichen.
}
problem-password-too-long = Verwenden Sie höchstens { $max } Zeichen.
problem-password-common = Dieses Passwort ist allgemein bekannt. Wählen Sie eines, auf das nur Sie kommen.
problem-password-personal = Das Passwort darf weder Ihren Namen noch Ihre E-Mail-Adresse enthalten.
problem-password-unchanged = Das ist Ihr bisheriges Passwort. Wählen Sie ein anderes.
problem-passwords-differ = Die beiden Passwörter sind nicht gleich.
problem-user-code-missing = Geben Sie den Code ein, den Ihr Gerät zeigt.
problem-user-code-unknown = Auf diesen Code wartet kein Gerät. Prüfen Sie ihn, oder lassen Sie Ihr Gerät einen neuen anzeigen: Codes gelten nicht lange.
problem-request-gone = Eine solche Anfrage wartet nicht auf Sie: Sie wurde schon beantwortet, ihre Zeit ist vorbei, oder sie gilt einem anderen Konto.
problem-request-code-unfit = Ein Code hat 6 bis 32 Buchstaben von A bis Z, Ziffern und Zeichen, ohne Leerzeichen.
problem-request-code-guessable = Der würde als Erstes geraten. Wählen Sie einen, der nicht verbreitet, keine Zeichenreihe und kein Teil Ihrer Adresse ist.
problem-gone-already = Das war schon beendet.

notice-password-chosen = Ihr Passwort ist festgelegt. Sie können sich jetzt damit anmelden.
notice-password-changed = Ihr Passwort wurde geändert.
notice-session-ended = Das Gerät wurde abgemeldet.
notice-others-ended = Alle anderen Geräte wurden abgemeldet.
notice-sharing-ended = Andere Anwendungen auf diesem Gerät melden Sie nicht mehr an.
notice-access-withdrawn = Der Zugriff wurde widerrufen.
notice-request-code-set = Der Code ist gesetzt. Ohne ihn fragt Sie niemand mehr.
notice-request-code-removed = Der Code ist entfernt.

error-detail = Für die Entwicklung
error-code = Code
error-quote = Wenn Sie um Hilfe bitten, nennen Sie die Vorgangsnummer: Sie führt direkt zu dem, was geschehen ist.
error-title-tenant-not-found = Hier ist niemand
error-advice-tenant-not-found = Keine Organisation hat diese Adresse. Prüfen Sie sie auf Tippfehler, oder gehen Sie zurück zu der Anwendung, aus der Sie kommen.
error-title-tenant-suspended = Die Anmeldung ist geschlossen
error-advice-tenant-suspended = Der Zugang dieser Organisation ist gesperrt. Mehr dazu weiß ihre Verwaltung.
error-title-form-lapsed = Bitte noch einmal
error-advice-form-lapsed = Dieses Formular war zu lange offen oder kam von einer anderen Seite. Es wurde nichts geändert.
error-title-flow-expired = Diese Anmeldung ist abgelaufen
error-advice-flow-expired = Sie hat zu lange gedauert oder wurde in einem anderen Fenster beendet. Gehen Sie zurück zur Anwendung und melden Sie sich von dort aus an.
error-title-forbidden = Das steht Ihnen nicht offen
error-advice-forbidden = Ihr Konto darf das nicht. Die Verwaltung Ihrer Organisation kann das ändern.
error-title-unavailable = Gerade nicht verfügbar
error-advice-unavailable = Wir können im Moment nicht antworten. Warten Sie ein wenig und versuchen Sie es dann noch einmal; es geht nichts verloren.
error-title-too-many = Das war zu oft
error-advice-too-many = Aus Ihrem Netz kamen zu viele Anfragen. Warten Sie einige Minuten und versuchen Sie es dann noch einmal.
error-title-too-slow = Das hat zu lange gedauert
error-advice-too-slow = Die Verbindung war so langsam, dass nicht alles rechtzeitig ankam, was Sie gesendet haben. Es wurde nichts geändert. Gehen Sie zurück und versuchen Sie es noch einmal, wenn möglich über ein anderes Netz.
error-title-not-found = Diese Seite gibt es nicht
error-advice-not-found = Vielleicht ist die Adresse vertippt, oder die Seite gibt es nicht mehr.
error-title-not-understood = Damit geht es nicht
error-advice-not-understood = Diese Adresse nimmt nicht an, was ihr gesendet wurde. Gehen Sie zurück und versuchen Sie es von dort aus noch einmal.
error-title-server = Etwas ist schiefgegangen
error-advice-server = Der Fehler liegt bei uns und ist festgehalten. Versuchen Sie es gleich noch einmal.
error-title-application = Die Anwendung hat einen Fehler gemacht
error-advice-application = Sie hat Sie mit einer Anfrage hierher geschickt, die sich nicht erfüllen lässt. Von Ihnen wurde nichts weitergegeben. Gehen Sie zurück zur Anwendung, und melden Sie es dort, wenn es wieder vorkommt.
error-title-not-signed-in = Sie sind hier nicht angemeldet
error-advice-not-signed-in = Die Anwendung hat gefragt, ob Sie es sind, ohne Sie anmelden zu lassen. Gehen Sie zu ihr zurück, und melden Sie sich von dort aus an, wenn Sie sie benutzen möchten.
error-onward = Die Anwendung möchte, dass Sie zu { $host } weitergehen. Diese Adresse hat sie selbst gewählt, und niemand in dieser Organisation hat sie geprüft: Gehen Sie nur dorthin, wenn Sie sie kennen.
error-onward-go = Weiter zu { $host }

form-post-heading = Es geht zurück
form-post-lede = Sie werden zur Anwendung zurückgeschickt.

tenant-home-title = Willkommen
tenant-home-lede = Mit Ihrem Konto bei { $tenant } melden Sie sich bei den Anwendungen an, die dazugehören.
to-account = Zu Ihrem Konto
landing-title = Anmeldedienst
landing-heading = Ein Anmeldedienst
landing-lede = Tessera meldet Menschen bei den Anwendungen ihrer Organisationen an, mit OAuth 2 und OpenID Connect.
landing-advice = Sie suchen Ihre Anmeldeseite? Jede Organisation hat eine eigene Adresse. Öffnen Sie die Anwendung, die Sie verwenden möchten: Sie führt Sie dorthin.

account-nav = Konto
account-home-tab = Überblick
account-password-tab = Passwort
account-sessions-tab = Geräte
account-applications-tab = Anwendungen
account-home-title = Ihr Konto
account-home-heading = Guten Tag, { $name }
account-home-lede = Das ist Ihr Konto bei { $tenant }.
account-profile = Was über Sie bekannt ist
account-profile-empty = Nichts außer dem Namen, mit dem Sie sich anmelden.
account-security = Sicherheit
account-administration = Verwaltung
account-console-heading = Konsole
account-console-lede = { $tenant } verwalten: Personen, Anwendungen, Einstellungen.
verified = Bestätigt
not-verified = Nicht bestätigt
claim-name = Name
claim-given-name = Vorname
claim-middle-name = Zweiter Vorname
claim-family-name = Nachname
claim-nickname = Spitzname
claim-preferred-username = Benutzername
claim-email = E-Mail
claim-phone-number = Telefon
claim-address = Anschrift
claim-birthdate = Geburtsdatum
claim-gender = Geschlecht
claim-zoneinfo = Zeitzone
claim-locale = Sprache
claim-website = Website
claim-profile = Profilseite
claim-picture = Bild
account-password-heading = Passwort ändern
account-password-lede = Ein neues gilt sofort.
change-password = Passwort ändern
end-others-too = Alle anderen Geräte abmelden
account-sessions-heading = Ihre Geräte
account-sessions-lede = Die Browser, in denen Sie angemeldet sind.
account-sessions-empty = Sie sind nirgends angemeldet.
device = { $browser } auf { $system }
device-unknown = Unbekanntes Gerät
this-device = Dieses Gerät
session-seen = Aktiv
session-began = Angemeldet am
session-shared = Darüber melden Apps auf diesem Gerät Sie an:
unshare-session = Nicht mehr teilen
end-session = Abmelden
end-others = Alle anderen Geräte abmelden
no-other-sessions = Sie sind nirgends sonst angemeldet.
account-requests-tab = Anfragen
account-requests-heading = Anfragen an Sie
account-requests-lede = Anwendungen, die nach Ihnen fragen, während Sie woanders sind. Erlauben Sie nur, was Sie gerade selbst begonnen haben.
account-requests-empty = Nichts wartet auf Ihre Antwort.
request-code-heading = Ihr Code für Anfragen
request-code-lede = Mit einem Code kann Ihnen niemand eine Anfrage stellen, der ihn nicht von Ihnen hat. Geben Sie ihn nur denen, die Sie fragen sollen. Anmelden kann sich damit niemand.
request-code-there = Ein Code ist gesetzt.
request-code-none = Es ist kein Code gesetzt.
request-code-label = Code
request-code-another = Anderer Code
request-code-form = 6 bis 32 Buchstaben, Ziffern und Zeichen, ohne Leerzeichen. Nehmen Sie nicht Ihr Passwort und keine Ihrer PINs.
request-code-set = Code setzen
request-code-change = Code ändern
request-code-remove = Code entfernen
requests-waiting = { $count ->
    [one] Eine Anfrage wartet auf Ihre Antwort.
   *[other] { $count } Anfragen warten auf Ihre Antwort.
}
requests-show = Ansehen
account-applications-heading = Ihre Anwendungen
account-applications-lede = Die Anwendungen, die Sie von hier aus öffnen können, und die, denen Sie Ihr Konto zu verwenden erlaubt haben.
account-applications-empty = Noch hat keine Anwendung Zugriff. Die, denen Sie ihn geben, stehen dann hier, und Sie können ihn jederzeit widerrufen.
account-applications-own = Anwendungen von { $tenant }
account-applications-allowed = Mit Ihrer Erlaubnis
granted-until = Längstens bis
date-time = { $date }, { $time } UTC
application-start = Öffnen
granted-on = Erlaubt am
withdraw-access = Zugriff widerrufen
withdraw-lede = { $client } kann Ihr Konto nicht mehr verwenden und muss neu fragen. Was schon bekannt wurde, kann dort weiter gespeichert sein.
withdraw-confirm = Jetzt widerrufen
