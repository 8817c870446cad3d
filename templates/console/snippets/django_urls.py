from django.urls import path
from mozilla_django_oidc import views

urlpatterns += [
    path("login/", views.OIDCAuthenticationRequestView.as_view(), name="oidc_authentication_init"),
    # __REDIRECT_URI__
    path("__REDIRECT_ROUTE__", views.OIDCAuthenticationCallbackView.as_view(), name="oidc_authentication_callback"),
    path("logout/", views.OIDCLogoutView.as_view(), name="oidc_logout"),
]
