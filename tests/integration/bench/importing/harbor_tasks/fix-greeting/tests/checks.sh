[ "$(./greet.sh Ada)" = "Hello, Ada!" ] && [ "$(./greet.sh "Grace H")" = "Hello, Grace H!" ]
