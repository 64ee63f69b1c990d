"""Words and phrases that people who guess passwords try first.

Kept in lower case and without digits or signs at the ends, for the policy
takes those off before it looks: "Password2024!!" is "password".
"""

from __future__ import annotations

_WORDS = """
abc abcabc abcd abcdef access account admin administrator adminadmin alexander amanda america
andrea andrew angel angels apple arsenal asdf asdfgh asdfghjkl ashley austin autumn babygirl
badboy bailey baseball basketball batman beautiful biteme blessed blink blue bond brandon
buster butterfly changeit changeme charlie chelsea chocolate christmas computer cookie
corvette cowboys dakota dallas daniel database default demo diamond doctor dolphin dragon
eagles elephant enter example facebook falcon family ferrari flower football forever freedom
friday friends fuckme fuckyou fuckoff gateway george ginger golfer google guest guitar hammer
hannah happy harley heaven hello helloworld hockey hunter iceman iloveu iloveyou internet
jackson jasmine jennifer jessica jesus johnson jordan joshua justin killer klaster knight
letmein letmeinnow letmeinplease lionheart liverpool london login love lovely loveme lovers
maggie manager marina martin master matrix matthew maverick mercedes merlin metallica michael
michelle midnight monday monkey monster mother mustang mypassword mysecret mysecretpassword
mysecurepassword naruto natasha nicole ninja nintendo nothing november october office orange
pass passphrase passw0rd password passwordpassword patrick peanut pepper phoenix playboy
please pokemon police princess private purple qazwsx qazwsxedc qwer qwert qwerty qwertyqwerty
qwertyuiop rainbow ranger raiders redsox richard robert root rootroot samantha samsung school
scooter secret secure security september server shadow silver simple slipknot soccer sophie
spiderman spring starwars steelers strongpassword summer sunday sunflower sunshine superman
superstar supersecret support sweetie sysadmin system target temp temporary test tester
testing testtest thomas thunder tigers tigger trustno trustme tuesday twitter unicorn user
vacation victoria wednesday welcome welcomehome whatever william windows winner winter
wizard yankees yellow yourpassword zaqwsx zxcvbn zxcvbnm
correcthorsebatterystaple itsasecret letmeintothesystem maytheforcebewithyou neveragainnever
nopasswordneeded onceuponatime opensesame tobeornottobe thequickbrownfox
thisismypassword thisisapassword iloveyousomuch iloveyouforever ihatepasswords iforgotmypassword
donttellanyone
"""

COMMON = frozenset(_WORDS.split())
